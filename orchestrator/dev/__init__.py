"""Tools of those who work on Avtale; nothing of the service imports them."""
