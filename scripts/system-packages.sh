#!/usr/bin/env bash
# Installs what a window needs on a machine without a screen, or says what to install.
# Quick and silent when everything is there. Tests that open a window are skipped without it.
set -euo pipefail

packages=(
  xvfb xauth libegl1 libgl1 libgl1-mesa-dri libfontconfig1 fonts-dejavu-core
  libdbus-1-3 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1
  libxcb-randr0 libxcb-shape0 libxcb-xinerama0
)

[ "$(uname -s)" = Linux ] || exit 0
if ! command -v apt-get >/dev/null; then
  command -v Xvfb >/dev/null ||
    echo "Note: to test napari's window without a screen, install Xvfb, Mesa's OpenGL and EGL, and libxcb-cursor." >&2
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done
# Its package was renamed between releases, so ask for the library itself.
libraries=$(PATH="$PATH:/sbin" ldconfig -p)
[[ $libraries == *libglib-2.0.so.0* ]] || missing+=(libglib2.0-0)
# Debian's Python comes without the module that makes virtual environments.
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)

[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -eq 0 ]; then
  echo "Installing system packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  if apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then
    exit 0
  fi
fi
echo "Note: some system packages are missing. Install them with: sudo apt-get install ${missing[*]}" >&2
