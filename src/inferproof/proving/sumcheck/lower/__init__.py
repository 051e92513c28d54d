"""Lowers ONNX models to integer graphs. specs/quantisation.md says what each operator becomes."""
