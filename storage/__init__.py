"""Where bytes live: `open_storage()` gives the store that STORAGE_URL names.

    file:///var/lib/atelier/objects    a local folder (the default: <data dir>/objects)
    s3://bucket/prefix?endpoint=http://minio:9000&region=us-east-1    any S3; credentials as boto3 finds them
    memory://                          this process only (tests)
"""
