"""Training and evaluation of denoising networks."""
