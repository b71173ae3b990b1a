"""What runs inside the Home Assistant process that is measured."""
