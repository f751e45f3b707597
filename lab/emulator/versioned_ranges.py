"""S3 answers a `Range` of an old version too; MiniStack ignores it when the request names a version."""

from typing import Any

from ministack.services import s3


def apply() -> None:
    get = s3._get_object

    def get_range(bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None = None) -> Any:
        status, answered, body = get(bucket, key, headers, query)
        wanted = headers.get("range", "")
        if status != 200 or not wanted or not s3._qp(query or {}, "versionId", ""):
            return status, answered, body
        found = s3._parse_range(wanted, len(body))
        if found is None:
            return 416, {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}, b""
        start, end = found
        kept = {name: value for name, value in answered.items() if not name.lower().startswith("x-amz-checksum")}
        part = body[start : end + 1]
        kept |= {"Content-Length": str(len(part)), "Content-Range": f"bytes {start}-{end}/{len(body)}"}
        return 206, kept, part

    s3._get_object = get_range
