"""What the world sees: accepts, validates, answers 202; reads the views and decides nothing."""
