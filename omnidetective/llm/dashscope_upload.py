"""Sending a media part to DashScope's temporary store, for parts too large for the body of a call.

The part is bytes in memory and is sent from there: no path is involved, so no file can be sent by mistake. The store
keeps it for 48 hours, for the model it was asked for (https://help.aliyun.com/en/model-studio/get-temporary-file-url).
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import ClientSession, ClientTimeout, FormData

from omnidetective.errors import TransientError
from omnidetective.llm.dashscope_wire import MEDIA_TYPES, MediaPart
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import AudioPart, ImagePart

_FIELDS = ("oss_access_key_id", "signature", "policy", "x_oss_object_acl", "x_oss_forbid_overwrite")


async def upload(part: MediaPart, *, session: ClientSession, endpoint: Endpoint, model: str, timeout_s: float) -> str:
    """Stores a part and returns its ``oss://`` address.

    Raises:
        TransientError: the store's answer was not understood; errors of the session pass through.
    """
    timeout = ClientTimeout(total=timeout_s)
    policy = await _policy(session=session, endpoint=endpoint, model=model, timeout=timeout)
    suffix, media_type = _kind(part)
    key = f"{policy['upload_dir']}/{part.sha256[:32]}.{suffix}"
    form = FormData()
    form.add_field("OSSAccessKeyId", policy["oss_access_key_id"])
    form.add_field("Signature", policy["signature"])
    form.add_field("policy", policy["policy"])
    form.add_field("key", key)
    form.add_field("x-oss-object-acl", policy["x_oss_object_acl"])
    form.add_field("x-oss-forbid-overwrite", policy["x_oss_forbid_overwrite"])
    form.add_field("x-oss-content-type", media_type)
    form.add_field("success_action_status", "200")
    form.add_field("file", part.data, filename=key.rpartition("/")[2], content_type=media_type)
    async with session.post(policy["upload_host"], data=form, timeout=timeout):
        return f"oss://{key}"


async def _policy(
    *, session: ClientSession, endpoint: Endpoint, model: str, timeout: ClientTimeout
) -> Mapping[str, str]:
    async with session.get(
        f"{endpoint.base_url.rstrip('/')}/uploads",
        params={"action": "getPolicy", "model": model},
        headers={"Authorization": f"Bearer {endpoint.api_key}"},
        timeout=timeout,
    ) as response:
        answer = await response.json(content_type=None)
    data = answer.get("data") if isinstance(answer, Mapping) else None
    wanted = (*_FIELDS, "upload_dir", "upload_host")
    if not isinstance(data, Mapping) or not all(isinstance(data.get(name), str) for name in wanted):
        raise TransientError(f"{endpoint.host} gave no place to upload to", reason="upload")
    return {name: data[name] for name in wanted}


def _kind(part: MediaPart) -> tuple[str, str]:
    if isinstance(part, AudioPart):
        return part.format, MEDIA_TYPES[part.format]
    return ("jpg", "image/jpeg") if isinstance(part, ImagePart) else ("mp4", "video/mp4")
