"""The worker: turns queued jobs into verified answers with receipts."""
