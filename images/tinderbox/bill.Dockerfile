# The bill of materials of an image: docker build --build-arg IMAGE=... --file bill.Dockerfile --output FOLDER
ARG IMAGE
FROM ${IMAGE} AS bill
USER root
# The tool has a venv of its own, so that it does not bill itself.
RUN --mount=type=secret,id=certificates --mount=type=cache,target=/root/.cache/pip \
    [ ! -s /run/secrets/certificates ] || export PIP_CERT=/run/secrets/certificates; \
    python3 -m venv --without-pip /tool \
    && PIP_CONSTRAINT= pip --python /tool/bin/python install -q cyclonedx-bom==7.5.0
COPY images/tinderbox/steps/bill.py /
RUN /tool/bin/cyclonedx-py environment --sv 1.6 --of JSON --output-reproducible -o /python.json /opt/venv/bin/python \
    && /tool/bin/python /bill.py /python.json "$SPARK_HOME/jars" "$JAVA_HOME/release" > /tinderbox-sbom.json

FROM scratch
COPY --from=bill /tinderbox-sbom.json /
