"""The tool box: one file an observer, the protocol in ``base``, the list of them in ``registry``."""
