"""A ROS 1 node: a robot's metrics as Float64, the pictures of its cameras as CompressedImage.

Numbers go to ``~metrics/battery_percent`` and so on, pictures to ``~front/compressed``, where
``rqt_image_view`` and ``image_transport`` look for them. The parameters are ``~source``,
``~metrics`` (a list of names; none is all) and ``~cameras``.

    PLEXUS_API_KEY=plx_... python rospy_node.py _source:=robot-01 _cameras:=[front]
"""

import re

import rospy
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float64

from plexus_sync import MetricsStream, Subscription, VideoStream

rospy.init_node("plexus")
source = rospy.get_param("~source", "robot-01")
sub = Subscription(
    MetricsStream(source, metrics=rospy.get_param("~metrics", [])),
    VideoStream(source, cameras=rospy.get_param("~cameras", ["front"])),
)
publishers = {}


def publish(topic, message):
    """Publish a message, on a topic that is made when it is first needed."""
    topic = re.sub(r"[^\w/~]", "_", topic)  # neither dots nor dashes are allowed there
    if topic not in publishers:
        publishers[topic] = rospy.Publisher(topic, type(message), queue_size=10)
    publishers[topic].publish(message)


@sub.on_metric("*")
def number(point):
    """Publish a point that is a number."""
    if isinstance(point.value, (int, float)):
        publish(f"~metrics/{point.metric}", Float64(point.value))


@sub.on_video_frame
def picture(frame):
    """Publish a picture: it is a JPEG already, and stays one."""
    message = CompressedImage(format="jpeg", data=frame.jpeg)
    message.header.stamp = rospy.Time.from_sec((frame.timestamp or 0) / 1000)
    message.header.frame_id = frame.camera_id
    publish(f"~{frame.camera_id}/compressed", message)


@sub.on_error
def failed(error):
    """Tell ROS; what has ended a stream for good ends the node, so that roslaunch sees it."""
    rospy.logwarn("%s", error)
    if error.final:
        rospy.signal_shutdown(str(error))


with sub:
    rospy.spin()
