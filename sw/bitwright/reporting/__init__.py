"""The report of a design: one HTML file that needs nothing beside it (`bitwright.reporting.write`)."""
