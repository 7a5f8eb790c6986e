"""Paint a photo in the manner of one or more pictures: balanced patch transport, or Gatys with VGG-19."""
