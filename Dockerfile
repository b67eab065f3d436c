# The image is the static binary that `make build` made and nothing else.
FROM scratch
COPY bin/apollo /apollo
# A new volume takes over the owner of the folder that it is mounted on.
COPY --chown=65532:65532 deploy/image/data /data
USER 65532:65532
# Relative --data paths and temporary files live on the volume.
WORKDIR /data
ENTRYPOINT ["/apollo"]
