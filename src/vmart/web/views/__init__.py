"""One file of views per part of the site. A view reads the request, calls one act or listing, and renders."""
