"""Training StyleGAN2-ADA, and what belongs to it."""
