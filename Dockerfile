# The image is the static binary that `make build` made and nothing else.
FROM scratch
COPY bin/apollo /apollo
# Relative --data paths and temporary files live on the volume.
WORKDIR /data
ENTRYPOINT ["/apollo"]
