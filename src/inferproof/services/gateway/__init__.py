"""The gateway: models, quotes, paid orders, receipts."""
