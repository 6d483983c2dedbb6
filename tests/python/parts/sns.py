"""Part 2: SNS: topics and subscriptions, fan-out to queues, webhooks that confirm, verify, fail and are tried again."""
import json
import urllib.parse

from expect import refused
from peers import verify_sns
from server import wait_for

# Retries after one second, so that the story need not wait for SNS's twenty.
SOON = json.dumps({"healthyRetryPolicy": {"numRetries": 50, "minDelayTarget": 1, "maxDelayTarget": 1}})


def check_topics_and_subscriptions(world):
    sns = world.client("sns")
    name = world.name("news")
    topic = sns.create_topic(Name=name)["TopicArn"]
    assert topic == f"arn:aws:sns:us-east-1:{world.account}:{name}", topic
    assert sns.create_topic(Name=name)["TopicArn"] == topic
    assert {"TopicArn": topic} in sns.list_topics()["Topics"]
    _, queue = world.queue()
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
    assert subscription.startswith(topic + ":"), subscription
    assert sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"] == subscription
    secure = sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://127.0.0.1:1/hook")["SubscriptionArn"]
    assert secure == "pending confirmation", secure
    listed = {one["Endpoint"]: one for one in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]}
    assert listed[queue]["SubscriptionArn"] == subscription and listed[queue]["Owner"] == world.account, listed
    assert listed["https://127.0.0.1:1/hook"]["SubscriptionArn"] == "PendingConfirmation", listed
    sns.unsubscribe(SubscriptionArn=subscription)
    assert queue not in [one["Endpoint"] for one in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]]
    refused("InvalidParameter", lambda: sns.create_topic(Name="no spaces"), 400, "Topic Name")
    refused("InvalidParameter", lambda: sns.subscribe(TopicArn=topic, Protocol="pigeon", Endpoint="x"), 400)
    refused("InvalidParameter", lambda: sns.subscribe(TopicArn=topic, Protocol="http", Endpoint="ftp://x"), 400)
    sns.delete_topic(TopicArn=topic)
    sns.delete_topic(TopicArn=topic)
    assert {"TopicArn": topic} not in sns.list_topics()["Topics"]
    refused(("NotFound", "NotFoundException"), lambda: sns.publish(TopicArn=topic, Message="x"), 404)


def check_fan_out(world):
    sns = world.client("sns")
    topic = sns.create_topic(Name=world.name("fan"))["TopicArn"]
    enveloped, raw = world.queue(), world.queue()
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=enveloped[1])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=raw[1], Attributes={"RawMessageDelivery": "true"})
    attributes = {"colour": {"DataType": "String", "StringValue": "grün"}}
    text = "Grüße & <all>\n" + "x" * 1000
    published = sns.publish(TopicArn=topic, Message=text, Subject="A subject", MessageAttributes=attributes)
    # Both are there when the publish has answered: no waiting.
    sqs = world.client("sqs")
    [got] = sqs.receive_message(QueueUrl=enveloped[0])["Messages"]
    envelope = json.loads(got["Body"])
    assert (envelope["Type"], envelope["MessageId"]) == ("Notification", published["MessageId"])
    assert (envelope["TopicArn"], envelope["Subject"], envelope["Message"]) == (topic, "A subject", text)
    assert envelope["MessageAttributes"] == {"colour": {"Type": "String", "Value": "grün"}}, envelope
    assert envelope["UnsubscribeURL"].startswith(world.server.endpoint), envelope
    verify_sns(envelope)
    [got] = sqs.receive_message(QueueUrl=raw[0], MessageAttributeNames=["All"])["Messages"]
    assert got["Body"] == text and got["MessageAttributes"]["colour"]["StringValue"] == "grün", got
    structured = json.dumps({"default": "for all", "sqs": "for queues"})
    sns.publish(TopicArn=topic, Message=structured, MessageStructure="json")
    assert sqs.receive_message(QueueUrl=raw[0])["Messages"][0]["Body"] == "for queues"
    refused("InvalidParameter", lambda: sns.publish(TopicArn=topic, Message=""), 400)
    refused("InvalidParameter", lambda: sns.publish(TopicArn=topic, Message="{", MessageStructure="json"), 400)
    refused("InvalidParameter", lambda: sns.publish(TopicArn=topic, Message="x" * 262_145), 400, "too long")
    refused("InvalidParameter", lambda: sns.publish(TopicArn=topic, Message="x", Subject="two\nlines"), 400)


def subscribed_webhook(world, topic, path, by_link=True, **attributes):
    """An endpoint that has confirmed: by opening the link, or by ConfirmSubscription. Gives the subscription's ARN."""
    sns = world.client("sns")
    endpoint = world.webhook.url + path
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint, Attributes=attributes)
    wait_for("the confirmation", lambda: world.webhook.of_type(path, "SubscriptionConfirmation"))
    headers, asked = world.webhook.received[path][0]
    headers = {name.lower(): value for name, value in headers.items()}
    assert headers["x-amz-sns-message-type"] == "SubscriptionConfirmation", headers
    assert headers["x-amz-sns-topic-arn"] == topic and headers["content-type"] == "text/plain; charset=UTF-8", headers
    assert asked["TopicArn"] == topic and asked["Token"] in asked["SubscribeURL"], asked
    verify_sns(asked)
    if by_link:
        status, headers, body = world.http(asked["SubscribeURL"])
        assert status == 200 and b"<SubscriptionArn>" in body, (status, body)
    else:
        confirmed = sns.confirm_subscription(TopicArn=topic, Token=asked["Token"])
        assert confirmed["SubscriptionArn"].startswith(topic + ":"), confirmed
    [one] = [s for s in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] if s["Endpoint"] == endpoint]
    assert one["SubscriptionArn"].startswith(topic + ":"), one
    return one["SubscriptionArn"]


def check_webhooks(world):
    sns = world.client("sns")
    topic = sns.create_topic(Name=world.name("hooks"))["TopicArn"]
    path, other = "/" + world.name("hook"), "/" + world.name("hook")
    first = subscribed_webhook(world, topic, path, by_link=True)
    subscribed_webhook(world, topic, other, by_link=False, RawMessageDelivery="false")
    published = sns.publish(TopicArn=topic, Message="héllo", Subject="For hooks")
    for one in (path, other):
        [note] = wait_for("the notification", lambda: world.webhook.of_type(one, "Notification"))
        assert (note["MessageId"], note["Message"], note["Subject"]) == (published["MessageId"], "héllo", "For hooks")
        verify_sns(note)
    headers = {k.lower(): v for k, v in world.webhook.received[path][-1][0].items()}
    assert headers["x-amz-sns-message-id"] == published["MessageId"], headers
    assert headers["x-amz-sns-subscription-arn"] == first, headers
    # A stranger's token changes nothing.
    refused("InvalidParameter", lambda: sns.confirm_subscription(TopicArn=topic, Token="0" * 64), 400)
    # The link in a notification ends its subscription, without a signature.
    status, _, _ = world.http(note["UnsubscribeURL"])
    assert status == 200, status
    left = [s["Endpoint"] for s in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]]
    assert world.webhook.url + other not in left and world.webhook.url + path in left, left
    assert urllib.parse.urlsplit(note["UnsubscribeURL"]).netloc == world.server.addresses["http"]


def check_signature_version_2(world):
    sns = world.client("sns")
    topic = sns.create_topic(Name=world.name("v2"), Attributes={"SignatureVersion": "2"})["TopicArn"]
    path = "/" + world.name("hook")
    subscribed_webhook(world, topic, path)
    sns.publish(TopicArn=topic, Message="signed with SHA-256")
    [note] = wait_for("the notification", lambda: world.webhook.of_type(path, "Notification"))
    assert note["SignatureVersion"] == "2"
    verify_sns(note)


def check_retry_across_kill(world):
    """The endpoint is down, Postrider is killed and comes back, the endpoint is up again: the notification arrives."""
    sns = world.client("sns")
    topic = sns.create_topic(Name=world.name("retry"))["TopicArn"]
    path = "/" + world.name("hook")
    subscribed_webhook(world, topic, path, DeliveryPolicy=SOON)
    world.webhook.fail[path] = 1_000_000
    published = sns.publish(TopicArn=topic, Message="be patient")
    wait_for("a failed attempt", lambda: world.webhook.failed[path] >= 1)
    world.restart(kill=True)
    before = world.webhook.failed[path]
    wait_for("an attempt after the restart", lambda: world.webhook.failed[path] > before, 60)
    assert not world.webhook.of_type(path, "Notification")
    world.webhook.fail[path] = 0
    [note, *_] = wait_for("the notification", lambda: world.webhook.of_type(path, "Notification"), 30)
    assert note["MessageId"] == published["MessageId"] and note["Message"] == "be patient"
    verify_sns(note)
