"""Holds a model's STAC item against stac-model, and tables against geoparquet-io: validators.py ITEM TABLE…; see archive.sh."""
import os, subprocess, sys
from pathlib import Path
import pystac
from stac_model.schema import MLModelExtension, MLModelProperties

item, *tables = sys.argv[1:]
item = pystac.Item.from_file(item)
if MLModelExtension.ext(item).get_schema_uri() not in item.stac_extensions:
    sys.exit(f"error: {item.self_href} has the extensions {item.stac_extensions}")
described = MLModelProperties.model_validate(item.properties)
if {str(getattr(task, "value", task)) for task in described.tasks} != {"image-captioning"} or not (described.input and described.output):
    sys.exit(f"error: {item.self_href} describes {described}")
if not any("mlm:model" in asset.roles for asset in item.assets.values()):
    sys.exit(f"error: {item.self_href} names no model")
item.stac_extensions = []   # their schemas lie on a server
item.validate()

# DuckDB looks for extensions in the home folder: here it is the environment's own.
environment = {**os.environ, "HOME": sys.prefix}
subprocess.run([sys.executable, "-c", "from duckdb_extensions import import_extension; import_extension('spatial')"], env=environment, check=True)
for table in tables:
    said = subprocess.run([Path(sys.executable).with_name("gpio"), "check", "spec", table], env=environment, capture_output=True, text=True)
    if said.returncode != 0 or " 0 failed" not in said.stdout:
        sys.exit(f"error: {table}: {said.stdout}{said.stderr}")
print(f"stac-model takes the bundle's item, geoparquet-io {len(tables)} tables")
