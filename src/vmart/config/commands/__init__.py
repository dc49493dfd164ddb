"""The commands of ``vmart``, a file a subject; ``frame`` is what each begins with."""
