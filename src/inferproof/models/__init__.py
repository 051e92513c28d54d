"""Model intake: cards, loading, preflight, quantisation and commitment of ONNX models."""
