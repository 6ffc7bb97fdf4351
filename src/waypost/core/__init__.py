"""The core process: control API, pipeline and mail in one asyncio process, which owns the embedded stores."""
