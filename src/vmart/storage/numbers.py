"""Numbers of images: one is taken before its row is written, so that its public id is known."""

from vmart.kernel import db

_images = db.IdBlock("storage_image_block")


def image() -> int:
    """Of a customer's image."""
    return _images.take()[0]
