#!/usr/bin/env python3
"""An evaluator that speaks NATS itself: python3 evaluator_nats.py NAME [URL]

The contract is docs/events.md. Needs `pip install nats-py`; the model is that
of evaluator.py beside this file. Start as many as you like.
"""

import asyncio
import json
import sys
import time

import nats
from nats.js.errors import APIError, NotFoundError

from evaluator import evaluate

ALREADY_ANSWERED = (10071, 10164)  # wrong last sequence: someone was faster
VERSION = "1"  # raise it with every change of the model: a study is measured by one version alone


def answer(work):
    names = [p["name"] for p in work["parameters"]]
    metrics = [m["name"] for m in work["metrics"]]
    trials = []
    for trial, row in zip(work["trials"], work["designs"]):
        try:
            a = {"outcome": "measured", **evaluate(dict(zip(names, row)))}
        except Exception as e:  # the unit of failure is one design
            a = {"outcome": "failed", "reason": {"code": "exception", "message": repr(e)}}
        a["values"] = [a.get("metrics", {}).get(m) for m in metrics]
        trials.append({"trial": trial, **{k: a[k] for k in ("outcome", "values", "reason") if k in a}})
    same = {k: work[k] for k in ("study", "run", "batch", "evaluator")}
    return {**same, "evaluator_version": VERSION, "worker": "python", "metrics": metrics, "trials": trials}


async def heartbeat(msg):  # keeps the message ours while a slow model runs
    while True:
        await asyncio.sleep(3)
        await msg.in_progress()


async def work_on(js, msg, name):
    work = json.loads(msg.data)["data"]
    if work.get("identity") not in (None, {"version": VERSION}):
        await msg.nak(delay=min(msg.metadata.num_delivered, 60))  # for another version or program: longer each time
        return
    beat = asyncio.create_task(heartbeat(msg))
    result = await asyncio.to_thread(answer, work)
    subject = msg.subject.replace(".work.", ".result.", 1)  # work.<evaluator>.<study>.<run>.<batch>
    event = {"specversion": "1.0", "type": "apollo.batch.evaluated.v1", "id": subject, "source": "evaluator/" + name,
             "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "data": result}
    headers = {"Nats-Expected-Last-Subject-Sequence": "0"}  # one answer per item
    try:  # published before the work is acknowledged: a crash in between loses nothing
        await js.publish(subject, json.dumps(event).encode(), headers=headers)
    except APIError as e:
        if e.err_code not in ALREADY_ANSWERED:
            raise
    finally:
        beat.cancel()
    await msg.ack()


async def main(name, url="nats://127.0.0.1:4222"):
    js = (await nats.connect(url)).jetstream()
    while True:  # the consumer appears with the first study that names the evaluator
        try:
            await js.consumer_info("APOLLO_WORK", "ev-" + name)
            break
        except NotFoundError:
            await asyncio.sleep(1)
    queue = await js.pull_subscribe_bind("ev-" + name, stream="APOLLO_WORK")
    while True:
        try:
            for msg in await queue.fetch(1, timeout=30):
                await work_on(js, msg, name)
        except nats.errors.TimeoutError:
            pass  # no work for half a minute


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
