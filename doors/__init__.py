"""What may come in: pictures, sounds and texts, each looked at by the door of its family."""
