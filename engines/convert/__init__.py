"""One picture in another size, of another shape, as another type of file."""
