# One image for every part; docker-compose.yml says which command each one runs.
FROM python:3.11-slim AS build
WORKDIR /src
COPY . .
RUN python -m pip wheel --no-cache-dir -c constraints.txt -w /wheels .

FROM python:3.11-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    python -m pip install --no-cache-dir /wheels/*.whl \
    && useradd --system --create-home --home-dir /var/lib/fieldcare fieldcare
USER fieldcare
WORKDIR /var/lib/fieldcare
ENV FIELDCARE_DATA=/var/lib/fieldcare
ENTRYPOINT ["fieldcare"]
CMD ["--help"]
