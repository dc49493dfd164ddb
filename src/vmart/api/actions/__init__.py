"""Actions by service and noun, each file with its ``ACTIONS``; ``services`` lists the files."""
