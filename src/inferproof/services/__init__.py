"""The services: gateway, settler, worker. They depend on protocols; app chooses adapters."""
