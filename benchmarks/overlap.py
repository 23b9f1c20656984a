def measure_decontamination(data, quick): return {}
