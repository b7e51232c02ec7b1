"""Writes a made-up list of passengers as raw as such lists are, and what pandas, scikit-learn and Keras 3 make of it.

usage: raw_lesson.py FOLDER        (pandas 3, scikit-learn 1.9, Keras 3 on TensorFlow)
"""

import csv
import json
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="")

import keras
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FOLDER = sys.argv[1]
random = np.random.RandomState(1912)
FIRST = {
    "male": ["Adam", "Bruno", "Carlo", "Denis", "Emil", "Felix"],
    "female": ["Ada", "Berta", "Clara", "Dora", "Eva", "Flora"],
}
LAST = ["Abel", "Berg", "Costa", "Duval", "Eriksen", "Fischer", "O'Hara", "Grey, Jr.", "Hansen", "Ibsen"]
HEAD = ["PassengerId", "Survived", "Pclass", "Name", "Sex", "Age", "SibSp", "Parch", "Fare", "Cabin", "Embarked"]


def passenger(number):
    """One row: women, children and the first class live more often; ages, cabins and ports have gaps."""
    sex = "female" if random.rand() < 0.36 else "male"
    cls = int(random.choice([1, 2, 3], p=[0.24, 0.21, 0.55]))
    age = float(np.clip(random.normal([38, 30, 25][cls - 1], 13), 0.5, 80))
    age = round(age, 1) if age < 3 else float(int(age))
    siblings, parents = int(random.poisson(0.5)), int(random.poisson(0.4))
    fare = round(float(random.lognormal([4.1, 2.8, 2.3][cls - 1], 0.6)), 4)
    score = (2.6 if sex == "female" else 0) + [1.1, 0.2, -0.9][cls - 1] - 0.035 * (age - 28) - 0.3 * siblings - 0.9
    survived = int(score + 0.9 * random.logistic() > 0)
    port = random.choice(["S", "C", "Q"], p=[0.72, 0.19, 0.09]) if random.rand() > 0.01 else ""
    has_cabin = random.rand() < [0.8, 0.1, 0.03][cls - 1]
    cabin = f"{random.choice(list('ABCDE'))}{random.randint(1, 120)}" if has_cabin else ""
    title = "Mr." if sex == "male" else random.choice(["Mrs.", "Miss."])
    name = f"{random.choice(LAST)}, {title} {random.choice(FIRST[sex])}"
    age = "" if random.rand() < 0.2 else age
    return [number, survived, cls, name, sex, age, siblings, parents, fare, cabin, port]


place = os.path.join(FOLDER, "passengers.csv")
with open(place, "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEAD)
    writer.writerows(passenger(number + 1) for number in range(600))

table = pd.read_csv(place)
x, y = table.drop(columns=["PassengerId", "Survived", "Name", "Cabin"]), table["Survived"]
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=42, stratify=y)
numbers = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
texts = Pipeline([("impute", SimpleImputer(strategy="most_frequent")), ("encode", OneHotEncoder(sparse_output=False))])
parts = [("numbers", numbers, ["Age", "SibSp", "Parch", "Fare"]), ("texts", texts, ["Pclass", "Sex", "Embarked"])]
prepare = ColumnTransformer(parts)
a_train, a_test = prepare.fit_transform(x_train), prepare.transform(x_test)

keras.utils.set_random_seed(42)
dense = keras.layers.Dense
model = keras.Sequential([dense(16, activation="relu"), dense(8, activation="relu"), dense(1, activation="sigmoid")])
model.build((None, a_train.shape[1]))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
history = model.fit(a_train, y_train, epochs=30, batch_size=16, verbose=0)
p = model.predict(a_test, verbose=0).ravel()
results = {
    "note": f"pandas {pd.__version__}, keras {keras.__version__}, 30 epochs of 16-8-1",
    "info": {name: [str(table[name].dtype), int(table[name].isna().sum())] for name in table},
    "head": str(table.head()),
    "names": list(prepare.get_feature_names_out()),
    "train": a_train[:4].ravel().tolist(),
    "test": a_test[:4].ravel().tolist(),
    "loss": [float(value) for value in history.history["loss"]],
    "predictions": [float(value) for value in p[:20]],
    "accuracy": accuracy_score(y_test, p.round()),
    "roc_auc": roc_auc_score(y_test, p),
    "confusion": confusion_matrix(y_test, p.round()).tolist(),
}
with open(os.path.join(FOLDER, "passengers.json"), "w") as file:
    json.dump(results, file, indent=1)
    file.write("\n")
