"""Says which of twelve worlds a picture shows, or that it shows none of them."""
