"""A perpetual-futures trading bot: coordinators, wired by one container, living and dying by one registry."""
