"""The ground: networks, golden rules, plans, designs, framing, errors; what every other package imports."""
