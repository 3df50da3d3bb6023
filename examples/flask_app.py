"""A Flask app of the usual kind: one subscription for the process, any number of browsers.

The page shows a robot's telemetry by server-sent events and its front camera as MJPEG. The first
request starts the subscription, and every later one finds it running. So it is right under the
reloader, whose parent process serves no requests, and under several request threads.

    pip install flask
    PLEXUS_API_KEY=plx_... python flask_app.py robot-01 5000
"""

import atexit
import itertools
import json
import sys
import threading

from flask import Flask, Response, render_template

from plexus_sync import MetricsStream, Subscription, VideoStream

source = sys.argv[1] if sys.argv[1:] else "robot-01"
port = int(sys.argv[2]) if sys.argv[2:] else 5000

app = Flask(__name__)
sub = Subscription(MetricsStream(source), VideoStream(source, cameras=["front"]))
app.before_request(sub.start)  # a second call starts nothing, from whatever thread
atexit.register(sub.close)


class Latest:
    """The newest of something, for any number of browsers; a slow one skips what it missed."""

    def __init__(self, value):
        self.value = value
        self._changed = threading.Condition()

    def put(self, value):
        """Replace it, and wake everybody who waits for that."""
        with self._changed:
            self.value = value
            self._changed.notify_all()

    def follow(self):
        """Yield it now and whenever it is new, at least every 10 s: so a lost browser is found."""
        value = self.value
        while True:
            yield value
            with self._changed:
                if self.value is value:
                    self._changed.wait(10.0)
                value = self.value


values = Latest({})
picture = Latest(b"")
sub.on_video_frame(lambda frame: picture.put(frame.jpeg))


@sub.on_telemetry
def update(frame):
    """Put the values of a frame in the place of older ones."""
    values.put({**values.value, **{point.metric: point.value for point in frame.points}})


@app.route("/")
def page():
    """Show the page; templates/robot.html is all of it."""
    return render_template("robot.html", source=source)


@app.route("/telemetry")
def telemetry():
    """Send all values, whenever one has changed."""
    events = (f"data: {json.dumps(known)}\n\n" for known in values.follow())
    return Response(events, mimetype="text/event-stream", headers={"Cache-Control": "no-store"})


@app.route("/camera")
def camera():
    """Send one picture after the other; the browser shows each in the place of the last."""
    if not picture.value:
        return "no picture yet", 503  # the page asks again
    # The boundary ends a part: browsers show a picture when they see what follows it.
    part = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n--next\r\n"
    parts = (part % (len(jpeg), jpeg) for jpeg in picture.follow())
    return Response(
        itertools.chain([b"--next\r\n"], parts),
        content_type="multipart/x-mixed-replace; boundary=next",
    )


if __name__ == "__main__":
    app.run(port=port, threaded=True, debug=True)
