"""The names of points in a picture, beside them and apart."""

import itertools

# Where a name goes from its point: the first of these that is free.
_DIRECTIONS = ((1, 0.7), (1, -0.7), (-1, 0.7), (-1, -0.7), (0, 1), (0, -1))
_DISTANCES = (6, 14, 22, 30, 38, 46, 54)  # points, 1/72 inch
_MARK = 8  # a point's width, in the same
_SIDES = {-1: "right", 0: "center", 1: "left"}


def name_points(axis, points):
    """Writes names so that none covers another's, its line or a point.

    Always the same for the same points. Where a line must cross something it
    does; where all places are taken, a name stands as if it were alone.

    Args:
        axis: matplotlib's, with all else drawn and its limits final.
        points: list of (name, x, y).

    Returns:
        list of matplotlib's annotations, in the order of the points.
    """
    figure = axis.figure
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # or what is placed would move again
    unit = figure.dpi / 72
    centres = [axis.transData.transform(point[1:]) for point in points]
    taken = [_box(centre, (_MARK * unit, _MARK * unit)) for centre in centres]
    offsets = [
        (distance * right, distance * up)
        for distance, (right, up) in itertools.product(_DISTANCES, _DIRECTIONS)
    ]
    written = []
    for (name, *point), (x, y) in zip(points, centres, strict=True):
        size = _size(axis, name)
        boxes = {
            (right, up): _box((x + right * unit, y + up * unit), size, right)
            for right, up in offsets
        }
        others = [box for box in taken if not _overlap((x, y, x, y), box)]
        free = [
            offset
            for offset, box in boxes.items()
            if _inside(box, axis.bbox.extents) and not _hits([box], taken)
        ]
        clear = [o for o in free if not _hits(_line(x, y, boxes[o]), others)]
        offset = (clear or free or offsets)[0]
        taken += [boxes[offset], *_line(x, y, boxes[offset])]
        written.append(_write(axis, name, point, offset))
    return written


def _write(axis, name, point, offset):
    """A name at an offset in points; from further off with a line."""
    line = {"arrowstyle": "-", "color": "0.5", "linewidth": 0.7, "shrinkB": 3}
    far = max(map(abs, offset)) > _DISTANCES[0]
    return axis.annotate(
        name,
        point,
        textcoords="offset points",
        xytext=offset,
        fontsize="small",
        horizontalalignment=_SIDES[(offset[0] > 0) - (offset[0] < 0)],
        verticalalignment="center",
        arrowprops=line if far else None,
    )


def _size(axis, name):
    """Width and height of a name, in pixels."""
    text = axis.text(0, 0, name, fontsize="small")
    extent = text.get_window_extent()
    text.remove()
    return extent.width, extent.height


def _box(place, size, right=0):
    """Left, bottom, right and top of what begins, ends or is centred there."""
    (x, y), (width, height) = place, size
    left = x if right > 0 else x - width if right < 0 else x - width / 2
    return left, y - height / 2, left + width, y + height / 2


def _line(x, y, box):
    """Boxes of no size on the line from a point to the middle of its name."""
    across, up = (box[0] + box[2]) / 2 - x, (box[1] + box[3]) / 2 - y
    return [
        (x + across * part, y + up * part) * 2
        for part in (step / 20 for step in range(21))
    ]


def _inside(box, other):
    return (
        box[0] >= other[0]
        and box[1] >= other[1]
        and box[2] <= other[2]
        and box[3] <= other[3]
    )


def _hits(boxes, others):
    return any(_overlap(box, other) for box in boxes for other in others)


def _overlap(box, other):
    return (
        box[0] < other[2]
        and other[0] < box[2]
        and box[1] < other[3]
        and other[1] < box[3]
    )
