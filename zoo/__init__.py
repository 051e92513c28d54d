"""The three models of the zoo: data, training scripts, cards and expected metrics.

Each folder is retrained by its own `train.py`; `python -m zoo.train_all` retrains all.
"""
