"""Conversion of uploaded StyleGAN2 networks: what `POST /v1/networks` starts."""
