def measure_privacy(n): return {}
