"""From collected pictures of a planet to the square ones that training reads: find the disc, judge, cut."""
