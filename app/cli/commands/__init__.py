"""What the command line understands. Nothing heavy is imported before a command needs it."""
