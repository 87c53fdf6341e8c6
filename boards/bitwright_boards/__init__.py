"""Board descriptions, overlays, drivers and programming."""
