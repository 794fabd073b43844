# The adapter: nothing of the deployment (no cdktf, no Node) is in it. Build and push: docs/deploy.md.
#
#   docker build -t cognito-source .        podman build -t cognito-source .        buildah bud -t cognito-source .
#
# Any base with Python 3.11 or newer and venv works, named by --build-arg BASE=...: the tests build on a local one.
ARG BASE=default-base

# A stage of its own, because Dependabot reads the names of images nowhere else.
FROM python:3.13.9-slim-bookworm@sha256:b685a4fa58bb19d1814d78a1ec0f0208f351452724f78b20212c984d6e124a34 AS default-base

FROM ${BASE} AS build
# pip lives beside the environment that it fills, so that it does not get into the image.
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/venv
COPY requirements/adapter.txt /opt/adapter.txt
RUN /opt/pip/bin/pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --require-hashes --requirement /opt/adapter.txt
# botocore describes 440 services, 24 MB; these are those that the adapter calls, and those that credentials may come from.
RUN cd "$(/opt/venv/bin/python -c 'import botocore; print(botocore.__path__[0])')/data" \
 && for service in */; do case " cognito-idp dynamodb events secretsmanager signin sqs sso sso-oidc sts " in \
      *" ${service%/} "*) ;; *) rm -r "$service" ;; esac; done \
 && rm -f */*/examples-*.json
# Nothing here uses boto3's resources or libyaml's binding (the manifest's reader needs the pure loader's marks): 3.5 MB.
RUN cd "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
 && rm -r boto3/data boto3/examples yaml/_yaml*.so
COPY adapter /opt/source/adapter
# Compiled here, for the root file system is read-only there; by hash, so that the same sources make the same files.
RUN cp -R /opt/source/adapter "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
 && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash -j 0 /opt/venv/lib

FROM ${BASE}
# `make image` says it, out of adapter/version.py.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cognito-source" \
      org.opencontainers.image.description="Every change of an Amazon Cognito user pool as a reliable stream of CloudEvents" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# No installer in what runs; and a folder of its own for SQLite, where DynamoDB is not the state. Its group is root's, for
# OpenShift runs images as any user of that group
# (https://docs.openshift.com/container-platform/4.16/openshift_images/create-images.html).
RUN rm -rf /usr/local/lib/python3*/site-packages/pip* /usr/local/bin/pip* \
 && mkdir -p /var/lib/cognito-source \
 && chown 10001:0 /var/lib/cognito-source \
 && chmod 0770 /var/lib/cognito-source
COPY --from=build /opt/venv /opt/venv
COPY LICENSE /usr/share/doc/cognito-source/LICENSE
# No status page unless somebody asks for it: docs/status-page.md.
ENV PATH=/opt/venv/bin:$PATH \
    STATUS_ADDRESS=off \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# A volume that is mounted here takes the owner and mode of the folder: without this, ECS mounts it for root only
# (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html).
VOLUME ["/tmp", "/var/lib/cognito-source"]
WORKDIR /var/lib/cognito-source
USER 10001:10001
# Health, and metrics for Prometheus.
EXPOSE 8080 9090
# For `docker run`; ECS and Kubernetes have their own.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["python", "-m", "adapter", "health"]
ENTRYPOINT ["python", "-m", "adapter"]
CMD ["run"]
