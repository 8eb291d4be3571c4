#!/usr/bin/env bash
# Usage: environment.sh PYTHON FOLDER GROUP...
# Makes a virtual environment and installs the project into it, editable, with the extra "all".
# An environment that is there is kept; what already satisfies the project is not fetched again.
set -euo pipefail
python=$1 folder=$2
shift 2

groups=()
for group in "$@"; do groups+=(--group "$group"); done

if [ ! -x "$folder/bin/python" ]; then
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Expected Python 3.11 or later, found: $("$python" --version 2>&1). Try: make PYTHON=python3.12" >&2
    exit 1
  fi
  if command -v uv >/dev/null; then
    uv venv --quiet --python "$python" "$folder"
  elif ! "$python" -m venv "$folder" >/dev/null; then
    rm -rf "$folder"  # a half-made one would be taken for a whole one next time
    echo "Python's venv module does not work. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2
    exit 1
  fi
fi

quiet=(--quiet)
[ -t 1 ] && quiet=()  # show people the downloads, keep logs short
echo "Installing napari-dran into $folder. The first time takes minutes: torch and Qt are large."
if command -v uv >/dev/null; then
  uv pip install ${quiet[@]+"${quiet[@]}"} --python "$folder/bin/python" --editable '.[all]' "${groups[@]}"
else
  "$folder/bin/python" -m pip install --quiet --upgrade 'pip>=25.1'  # the first that knows --group
  "$folder/bin/python" -m pip install ${quiet[@]+"${quiet[@]}"} --editable '.[all]' "${groups[@]}"
fi
