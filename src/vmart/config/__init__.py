"""Settings, wsgi, process supervision, the command line: the only place that knows every room."""
