"""StyleGAN2-ADA: networks of `stylegan2-ada-pytorch`, read safely and run fast."""
