"""Models of other libraries as ONNX that compiles: by their own exporters, checked on a sample.

from_sklearn, from_xgboost, from_lightgbm, from_catboost, from_torch   from objects
import_file                                                            from files
"""
