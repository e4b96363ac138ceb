"""RUN trials: in this process, in processes of this machine, or elsewhere."""
