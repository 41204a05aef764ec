"""What the integration tests stand on: servers, clients, certificates, and sotto itself."""
