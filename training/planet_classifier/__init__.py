"""Training the classifier of planets, and measuring what came of it."""
