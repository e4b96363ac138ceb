"""Speed against peers: each measurement runs both sides on the same machine."""
