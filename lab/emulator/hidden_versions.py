"""S3 takes and gives the tags of a version whose name is hidden by a deletion; MiniStack looks for the name first."""

from typing import Any

from ministack.services import s3


def apply() -> None:
    put, get = s3._put_object_tagging, s3._get_object_tagging

    def put_tags(bucket: str, key: str, body: bytes, query: dict[str, Any] | None = None) -> Any:
        version = _hidden(bucket, key, query)
        if version is None:
            return put(bucket, key, body, query)
        s3._object_tags[bucket, key, version] = s3._parse_tags_xml(body)
        return 200, {"x-amz-version-id": version}, b""

    def get_tags(bucket: str, key: str, query: dict[str, Any] | None = None) -> Any:
        version = _hidden(bucket, key, query)
        if version is None:
            return get(bucket, key, query)
        tags = "".join(
            f"<Tag><Key>{name}</Key><Value>{value}</Value></Tag>"
            for name, value in s3._object_tags.get((bucket, key, version), {}).items()
        )
        return 200, {"Content-Type": "application/xml"}, f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode()

    s3._put_object_tagging, s3._get_object_tagging = put_tags, get_tags


def _hidden(bucket: str, key: str, query: dict[str, Any] | None) -> str | None:
    """The version that a request names, where it is there and its key has no current version."""
    found, version = s3._ensure_bucket(bucket), s3._qp(query or {}, "versionId", "")
    if not version or found is None or key in found["objects"]:
        return None
    return None if s3._no_such_version(bucket, key, query) else str(version)
